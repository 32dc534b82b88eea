-- Keeps outcomes under their commands' ids, and the commands' ids under their idempotency keys, until they expire.
-- For each record: offset, command id, outcome, "<type>:<id>:<idempotency key>" or nothing, seconds that the key lives.
local at = redis.call('GET', KEYS[1]) or '-1'
if at ~= ARGV[1] then return {'moved', at} end
local prefix = ARGV[3]
for i = 5, #ARGV, 5 do
  redis.call('SET', prefix .. 'outcome:' .. ARGV[i + 1], ARGV[i + 2], 'EX', ARGV[4])
  if ARGV[i + 3] ~= '' then
    redis.call('SET', prefix .. 'key:' .. ARGV[i + 3], ARGV[i + 1], 'NX', 'EX', ARGV[i + 4])
  end
end
redis.call('SET', KEYS[1], ARGV[2])
return {'ok'}
