"""`make demo`: the whole loop on the example handbook, with a real PostgreSQL, a real Airflow and real models.

workspace   the copy of the handbook that the demo edits, as its users would
server      PostgreSQL and Airflow as children of this process
api         Airflow's REST API
show        the terminal: progress, figures, tables
ledger      figures of a run, read from Liftgate's database
stage       all of the above, and how a DAG run is started and watched
story       the steps, each with what it promises
"""
