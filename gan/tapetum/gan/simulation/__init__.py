"""A camera simulator: what a camera in the dark records of a scene, and what it should look like.

In the order of the light::

    radiance      the scene: panoramas in linear light, or photos linearised
    motion        where the camera looks from frame to frame
    sensor        photons, lens, colour filters, noise, numbers
    development   what the camera makes of the numbers: a picture
    coding        what a file or a webcam leaves of the picture
    good_camera   the same scene, well exposed: what should be made of the picture
    conditions    how dark, how noisy, how compressed: drawn at random
    scenes        which scenes: drawn from folders
    pair_set      many pairs on disk, for training
    clips         noisy clips with their clean twins
"""
