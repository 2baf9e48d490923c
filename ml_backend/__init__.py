"""goldloop's judge behind Label Studio's ML backend protocol, by label-studio-ml, in an own environment.

How a prediction is made: `server` takes the request, and `sent` reads what is needed of it. `model` has the model of
the project with its label config. `prelabels` goes through the tasks: what `memory` knows of the store is given, and
the rest is judged by `live`, within a deadline, of the trace that `task_trace` makes of a task. `project_model` writes
each answer as Label Studio wants it, and `label_config` says whether it can be shown.

Behind the requests `service` keeps `judges` fresh, has `saving` write live judgements and `fitting` learn from labels.
"""
