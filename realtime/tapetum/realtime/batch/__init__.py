"""Many files, and long ones, in jobs that can be stopped, killed and continued.

- `tree.py`: which files are meant, and where each output goes
- `record.py`: the record of what is done, in the output folder; `ledger.py` keeps it
- `file_maker.py`: makes one file after the other; `worker.py` does so for others, and segments
- `parallel.py`: what each worker does; `crew.py` what is heard of them, `processes.py` those here
- `cluster.py`: those of a Ray cluster, each a `cluster_worker.py`
- `enhance_files.py`: the job itself; start there
"""
