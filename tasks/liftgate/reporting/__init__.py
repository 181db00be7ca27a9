"""What people look at: releases, verdicts, flipped questions, freshness and the ledger, as plain data.

The command line prints it as tables, Airflow's page shows it as pages, plots and downloads. Nothing here changes
anything, and nothing here is a text of a document, a question or an answer, except in `texts`.
"""
