-- Remember values; the newest stands.
INSERT OR REPLACE INTO memory (log, key, value) VALUES (?, ?, ?)
