"""A federation played without keys, masks and signatures, for studies of many thousand rounds."""
