-- Brings snapshots to the version of each event, with the indexes, the links between entities and their unique values.
-- For each record: offset, verb, type, id, version, time, data, links ("<type>:<id>", a line each), index (for each field and
-- value "<field>\1<value>\1"), unique values ("<field>:<digest>", a line each).
local at, prefix = redis.call('GET', KEYS[1]) or '-1', ARGV[3]
if at ~= ARGV[1] then return {'moved', at} end
if redis.call('GET', prefix .. 'shape') ~= ARGV[4] then return {'moved', at} end

local function each_link(command, links, member)
  for target in string.gmatch(links, '[^\n]+') do
    redis.call(command, prefix .. 'links:' .. target, member)
  end
end

-- The second and further values of a field end in another \1: in a sorted list the entity stands once.
local function each_index(entries, type, id, change)
  local before
  for field, value in string.gmatch(entries, '([^\1]+)\1([^\1]+)\1') do
    change(prefix .. 'index:' .. type .. ':' .. field, value .. '\1' .. id .. (field == before and '\1' or ''))
    before = field
  end
end

local function remove(index, member) redis.call('ZREM', index, member) end
local function add(index, member) redis.call('ZADD', index, 0, member) end

-- What entities were given before their values had to be unique may be another's by now.
local function replace_unique(key, type, id, before, after)
  for field, digest in string.gmatch(before, '([^\n]*):([^\n:]+)') do
    local holders = prefix .. 'unique:' .. type .. ':' .. field
    if redis.call('HGET', holders, digest) == id then redis.call('HDEL', holders, digest) end
  end
  for field, digest in string.gmatch(after, '([^\n]*):([^\n:]+)') do
    redis.call('HSET', prefix .. 'unique:' .. type .. ':' .. field, digest, id)
  end
  if after == '' then redis.call('HDEL', key, 'unique') else redis.call('HSET', key, 'unique', after) end
end

for i = 5, #ARGV, 10 do
  local verb, type, id, version, time = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  local data, links, entries, unique = ARGV[i + 6], ARGV[i + 7], ARGV[i + 8], ARGV[i + 9]
  local member = type .. ':' .. id
  local key, index = prefix .. member, prefix .. 'index:' .. type .. ':id'
  local before = redis.call('HMGET', key, 'version', 'links', 'index', 'unique')
  local have, linked, indexed, held = tonumber(before[1] or '0'), before[2] or '', before[3] or '', before[4] or ''
  if tonumber(version) > have + 1 then
    redis.call('SET', KEYS[1], ARGV[i])
    return {'gap', ARGV[i], 'version ' .. version .. ' does not follow version ' .. have .. ' of the snapshot'}
  elseif tonumber(version) == have + 1 then
    if linked ~= links then
      each_link('SREM', linked, member)
      each_link('SADD', links, member)
    end
    if indexed ~= entries then
      each_index(indexed, type, id, remove)
      each_index(entries, type, id, add)
      redis.call('HSET', key, 'index', entries)
    end
    if held ~= unique then replace_unique(key, type, id, held, unique) end
    if verb == 'delete' then
      redis.call('HSET', key, 'version', version, 'updatedAt', time, 'deletedAt', time)
      redis.call('HDEL', key, 'data', 'links', 'index')
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
