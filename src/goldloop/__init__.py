"""Closes the loop between production LLM traces and the people who judge them."""
