"""Ways to a device. Each module holds one channel and imports its vendor's SDK only when it is built."""
