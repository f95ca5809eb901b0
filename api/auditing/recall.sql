-- One remembered value.
SELECT m.value FROM memory AS m WHERE m.log = ? AND m.key = ?
