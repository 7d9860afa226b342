"""A script for each library that we are measured against; it is run by a Python that has this library and not ours."""
