"""Many files, and long ones, in jobs that can be stopped, killed and continued.

- `inputs.py`: which files are meant, and where each output goes
- `identity.py`: what makes two jobs the same: input, options, weights
- `finished.py`: the record of what is done, in the output folder
- `enhance_files.py`: the job itself; start there
"""
