"""`packaging doctor`: what an environment needs, looked at part by part.

Each module examines one service or one part of the machine, and offers its checks in a function `checks`. They look by
asking the service itself, in calls that leave nothing behind.
"""
