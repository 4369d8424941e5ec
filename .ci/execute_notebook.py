"""Executes a notebook with the kernel that it names and prints what each cell showed: {cell id: [media types]}.

    python execute_notebook.py NOTEBOOK FOLDER STORE

The cells run in FOLDER; STORE stands in for the store that the notebook names. A cell that fails is an error.
"""

import json
import queue
import sys

import nbformat
from jupyter_client.manager import start_new_kernel

notebook_file, folder, store = sys.argv[1:]
NAMED_STORE = '"file:../sandbox-data"'
SECONDS_A_CELL = 60
# Deno's kernel may send a result after it has said that the cell is done.
SECONDS_FOR_LATE_RESULTS = 3

notebook = nbformat.read(notebook_file, as_version=4)
nbformat.validate(notebook)
cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
named = [cell for cell in cells if NAMED_STORE in cell.source]
assert len(named) == 1, f"{len(named)} cells name the store {NAMED_STORE}, not one"
named[0].source = named[0].source.replace(NAMED_STORE, json.dumps(store))

shown: dict[str, list[str]] = {}
cell_of: dict[str, str] = {}


def note(message: dict) -> None:
    """Notes what a cell showed, by the request that the message answers."""
    cell = cell_of.get(message["parent_header"].get("msg_id", ""))
    kind, content = message["msg_type"], message["content"]
    assert kind not in ("stream", "error") or cell is None, f"cell {cell} printed {content}"
    if cell is not None and kind in ("execute_result", "display_data"):
        shown.setdefault(cell, []).extend(sorted(content["data"]))


manager, client = start_new_kernel(kernel_name=notebook.metadata.kernelspec.name, cwd=folder, startup_timeout=60)
try:
    for cell in cells:
        request = client.execute(cell.source)
        cell_of[request] = cell.id
        while True:
            reply = client.get_shell_msg(timeout=SECONDS_A_CELL)
            if reply["parent_header"].get("msg_id") == request:
                break
        content = reply["content"]
        assert content["status"] == "ok", f"cell {cell.id} failed: {content.get('evalue') or content}"
    while True:
        try:
            note(client.get_iopub_msg(timeout=SECONDS_FOR_LATE_RESULTS))
        except queue.Empty:
            break
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)

print(json.dumps(shown))
