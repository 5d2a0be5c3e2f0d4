"""Long films in segments, so that a job that is killed goes on where it was.

- `job_folder.py`: what is kept on the disk of an unfinished film
- `segmented_sink.py`: cuts what is encoded, takes up what there is, and joins it
"""
