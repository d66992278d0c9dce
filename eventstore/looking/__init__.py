"""Looking into a log: who changed what, when a value was what, when something came to be."""
