"""The International Patient Summary, coming in and going out."""
