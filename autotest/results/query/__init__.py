"""Questions over the TKO tables, typed, for the command line, RPC and web alike (results-and-tko.md section 9).

``questions`` says what can be asked, and keeps a question as text. ``fields`` names what results can be asked by,
``conditions`` reads conditions on them, ``selection`` turns both into one query; ``spreadsheet``, ``table``,
``history``, ``details``, ``reasons``, ``builds``, ``metrics`` and ``qualification`` answer; ``labels``, ``attributes``
and ``saved`` remember. ``charts`` names the metrics of charts.
"""
