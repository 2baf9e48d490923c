"""The codebook: what is asked of a trace. Everything else that knows the questions is made from it."""
