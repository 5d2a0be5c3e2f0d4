"""Photos and other pictures in files: what is one, reading, enhancing and writing them."""
