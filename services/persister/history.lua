-- Appends events to the histories of their entities: streams with entry ids <version>-0.
-- For each record: offset, type, id, version, event.
local at = redis.call('GET', KEYS[1]) or '-1'
if at ~= ARGV[1] then return {'moved', at} end
local prefix = ARGV[3] .. 'events:'
for i = 5, #ARGV, 5 do
  local key, version = prefix .. ARGV[i + 1] .. ':' .. ARGV[i + 2], tonumber(ARGV[i + 3])
  local length = redis.call('XLEN', key)
  if version > length + 1 then
    redis.call('SET', KEYS[1], ARGV[i])
    return {'gap', ARGV[i], 'version ' .. ARGV[i + 3] .. ' does not follow version ' .. length .. ' in the history'}
  elseif version == length + 1 then
    redis.call('XADD', key, ARGV[i + 3] .. '-0', 'event', ARGV[i + 4])
  end
end
redis.call('SET', KEYS[1], ARGV[2])
return {'ok'}
