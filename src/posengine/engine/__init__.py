"""The engine: one journal, one writer, behind sockets or embedded.

    Engine          frames in, durable decisions, replies out
    serve           one engine from a configuration file, until it is told to end
    Supervisor      starts an engine again that failed
"""

from posengine.engine.configuration import Configuration, read_configuration
from posengine.engine.control import ask, stat
from posengine.engine.downloads import compile_downloads
from posengine.engine.engine import Engine, Reply, Stage
from posengine.engine.questions import Questions
from posengine.engine.supervisor import Supervisor

__all__ = [
    "Configuration",
    "Engine",
    "Questions",
    "Reply",
    "Stage",
    "Supervisor",
    "ask",
    "compile_downloads",
    "read_configuration",
    "stat",
]
