"""Files of a book to take home: made aside, sealed, handed to whoever asked, and gone by themselves."""
