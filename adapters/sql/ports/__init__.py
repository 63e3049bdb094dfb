"""The ports of the database, one class for a family of them. Each method is one transaction of its module's functions."""
