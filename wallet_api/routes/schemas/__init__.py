"""What goes in and out over HTTP, one file a blueprint. Unknown fields are refused, in queries too."""
