"""Visit files of the health insurance: read safely, told apart, turned into what the health book keeps."""
