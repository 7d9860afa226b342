"""The dashboard's pages: what is stored of all endpoints, each page one file that needs nothing else."""
