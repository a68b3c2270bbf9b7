"""The engine: one journal, one writer, behind sockets or embedded.

    Engine          frames in, durable decisions, replies out
"""

from posengine.engine.control import ask, stat
from posengine.engine.downloads import compile_downloads
from posengine.engine.engine import Engine, Reply, Stage

__all__ = ["Engine", "Reply", "Stage", "ask", "compile_downloads", "stat"]
