"""The verbs as Prefect flows: thin wrappers that do nothing the command line could not do.

`prefect deploy --all` registers them as `prefect.yaml` says; `python -m flows.automations` adds what finds dead runs.
"""
