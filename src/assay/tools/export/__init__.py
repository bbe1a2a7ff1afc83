"""A finished run as files that other programs read: ``exporting.py`` makes them, ``reading.py`` lets them answer."""
