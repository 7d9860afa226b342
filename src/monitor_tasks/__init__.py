"""The open model monitor: rows become a profile, profiles add up, metrics are read off it, constraints judge them."""
