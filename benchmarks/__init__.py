"""Speed and memory of the monitor against named peers and limits: `make bench`."""
