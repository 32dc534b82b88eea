-- A step of emptying a partition. KEYS[1] is its shape's key; the arguments: what must stand there (empty: whatever does), what
-- stands there afterwards, and keys to remove.
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
for i = 3, #ARGV do redis.call('UNLINK', ARGV[i]) end
return 1
