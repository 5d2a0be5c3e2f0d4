"""Long films in segments, so that a job that is killed goes on where it was.

- `film.py`: what is made, and what decides what it becomes
- `job_folder.py`: what is kept on the disk of an unfinished film
- `segment.py`: a part of a film, and its encoder; `joining.py` makes the film of them
- `segmented_sink.py`: cuts what is encoded in one pass, and takes up what there is
- `segment_maker.py`: makes any segment by itself
"""
