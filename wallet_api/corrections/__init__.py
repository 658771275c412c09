"""What people say is wrong in their book: requests to correct a record, and records that are a stranger's."""
