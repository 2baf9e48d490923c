"""What users said and did, as evidence about a trace."""
