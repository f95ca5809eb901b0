-- Where each remembered log ended.
SELECT m.log, m.value FROM memory AS m WHERE m.key = 'end'
