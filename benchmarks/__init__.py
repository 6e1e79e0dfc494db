"""What the library costs: CPU per streamed event and per call, against peers and against the floor.

Start it with `scripts/bench`; README.md says how to read what comes out.
"""
