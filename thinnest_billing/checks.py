"""Wrong environment variables stop the start with a sentence that names them."""
