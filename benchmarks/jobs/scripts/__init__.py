"""The queues' programs, each in an environment of its own.

with_NAME prepare              make what is not there yet
with_NAME enqueue COUNT        make this many jobs; prints the seconds it took
with_NAME work                 two worker processes, until it is ended
with_NAME ask COUNT            one job at a time, while the workers are idle
with_NAME left                 prints how many jobs are not done yet
"""
