"""What a simulation consists of: agencies, lists, agreements and steps, from a scenario file."""
