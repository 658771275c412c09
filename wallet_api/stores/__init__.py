"""Every pymongo call of the product. One module per aggregate, its indexes declared beside it."""
