-- Takes or lets go of claims. What a claim holds is "<instance> <command> <token>": a claim may be taken over by the
-- instance that made it, come back after a crash, and by whoever decides the command now; then the token is another.
-- take, lease in ms, instance, token, then for each key its command: answers 2 (it is new), 1 (it was held) or 0
-- (another's)
-- release, instance, token, then for each key its command
local answers = {}
if ARGV[1] == 'take' then
  for i, key in ipairs(KEYS) do
    local command, now = ARGV[i + 4], redis.call('GET', key) or ''
    local mine = ARGV[3] .. ' ' .. command .. ' ' .. ARGV[4]
    local holder, held = string.match(now, '^(%S+) (%S+) ')
    if now == mine then
      redis.call('PEXPIRE', key, ARGV[2])
      answers[i] = 1
    elseif not holder or holder == ARGV[3] or held == command then
      redis.call('SET', key, mine, 'PX', ARGV[2])
      answers[i] = 2
    else
      answers[i] = 0
    end
  end
else
  for i, key in ipairs(KEYS) do
    local mine = ARGV[2] .. ' ' .. ARGV[i + 3] .. ' ' .. ARGV[3]
    if redis.call('GET', key) == mine then redis.call('DEL', key) end
    answers[i] = 1
  end
end
return answers
