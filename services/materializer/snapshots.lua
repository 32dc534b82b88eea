-- Brings snapshots to the version of each event, with the index of ids and the links between entities.
-- For each record: offset, verb, type, id, version, time, data, links ("<type>:<id>", a line each).
local at = redis.call('GET', KEYS[1]) or '-1'
if at ~= ARGV[1] then return {'moved', at} end
local prefix = ARGV[3]

local function each_link(command, links, member)
  for target in string.gmatch(links, '[^\n]+') do
    redis.call(command, prefix .. 'links:' .. target, member)
  end
end

for i = 5, #ARGV, 8 do
  local verb, type, id, version, time = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  local data, links, member = ARGV[i + 6], ARGV[i + 7], type .. ':' .. id
  local key, index = prefix .. member, prefix .. 'index:' .. type .. ':id'
  local before = redis.call('HMGET', key, 'version', 'links')
  local have, linked = tonumber(before[1] or '0'), before[2] or ''
  if tonumber(version) > have + 1 then
    redis.call('SET', KEYS[1], ARGV[i])
    return {'gap', ARGV[i], 'version ' .. version .. ' does not follow version ' .. have .. ' of the snapshot'}
  elseif tonumber(version) == have + 1 then
    if linked ~= links then
      each_link('SREM', linked, member)
      each_link('SADD', links, member)
    end
    if verb == 'delete' then
      redis.call('HSET', key, 'version', version, 'updatedAt', time, 'deletedAt', time)
      redis.call('HDEL', key, 'data', 'links')
      redis.call('ZREM', index, id)
    elseif verb == 'create' then
      redis.call('HSET', key, 'version', version, 'createdAt', time, 'updatedAt', time, 'data', data, 'links', links)
      redis.call('ZADD', index, 0, id)
      if have > 0 then redis.call('HDEL', key, 'deletedAt') end
    else
      redis.call('HSET', key, 'version', version, 'updatedAt', time, 'data', data, 'links', links)
    end
  end
end
redis.call('SET', KEYS[1], ARGV[2])
return {'ok'}
