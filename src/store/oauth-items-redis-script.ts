/**
 * Applies a batch in Redis, all of it or nothing: a script runs alone. ARGV: prefix, now, and the changes as JSON whose every
 * value is a text, since Lua would write a time as 1.8e+12. Gives 0, or the place (from 1) of the condition that does not hold.
 *
 * An item is a hash. Sets by grant, owner, client and kind hold `kind:id` with the item's end as score, so what has ended can be
 * taken out of them at the next change. Everything has the longest life of what is in it: Redis forgets by itself.
 */
export const APPLY_SCRIPT = `
local prefix, now = ARGV[1], tonumber(ARGV[2])
local changes = cjson.decode(ARGV[3])

local function itemKey(kind, id) return prefix .. 'i:' .. kind .. ':' .. id end

local function setsOf(kind, grant, owner, client)
  local keys = { prefix .. 'k:' .. kind }
  if grant ~= '' then keys[#keys + 1] = prefix .. 'g:' .. grant end
  if owner ~= '' then keys[#keys + 1] = prefix .. 'o:' .. kind .. ':' .. owner end
  if client ~= '' then keys[#keys + 1] = prefix .. 'c:' .. kind .. ':' .. client end
  return keys
end

local function namesOf(kind, uid, code)
  local keys = {}
  if uid ~= '' then keys[#keys + 1] = prefix .. 'uid:' .. kind .. ':' .. uid end
  if code ~= '' then keys[#keys + 1] = prefix .. 'userCode:' .. kind .. ':' .. code end
  return keys
end

local function lifeOf(ends) return math.max(1, tonumber(ends) - now) end

local function addTo(key, member, ends)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  redis.call('ZADD', key, ends == '' and '+inf' or ends, member)
  local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
  if last == 'inf' then redis.call('PERSIST', key)
  else redis.call('PEXPIRE', key, lifeOf(last)) end
end

local function remove(kind, id)
  local key = itemKey(kind, id)
  local item = redis.call('HMGET', key, 'uid', 'code', 'grant', 'owner', 'client')
  if not item[1] then return end
  redis.call('DEL', key)
  for _, name in ipairs(namesOf(kind, item[1], item[2])) do
    if redis.call('GET', name) == id then redis.call('DEL', name) end
  end
  for _, set in ipairs(setsOf(kind, item[3], item[4], item[5])) do redis.call('ZREM', set, kind .. ':' .. id) end
end

local function put(item)
  remove(item.kind, item.id)
  local key = itemKey(item.kind, item.id)
  redis.call('HSET', key, 'sealed', item.sealed, 'uid', item.uid, 'code', item.code, 'grant', item.grant,
    'owner', item.owner, 'client', item.client, 'consumed', item.consumed, 'ends', item.ends)
  if item.ends ~= '' then redis.call('PEXPIRE', key, lifeOf(item.ends)) end
  for _, name in ipairs(namesOf(item.kind, item.uid, item.code)) do
    redis.call('SET', name, item.id)
    if item.ends ~= '' then redis.call('PEXPIRE', name, lifeOf(item.ends)) end
  end
  for _, set in ipairs(setsOf(item.kind, item.grant, item.owner, item.client)) do
    addTo(set, item.kind .. ':' .. item.id, item.ends)
  end
end

local function consume(change)
  local key = itemKey(change.kind, change.id)
  redis.call('HSET', key, 'consumed', change.at)
  if change.ends == '' then return end
  redis.call('HSET', key, 'ends', change.ends)
  redis.call('PEXPIRE', key, lifeOf(change.ends))
  local item = redis.call('HMGET', key, 'grant', 'owner', 'client')
  if not item[1] then return end
  for _, set in ipairs(setsOf(change.kind, item[1], item[2], item[3])) do
    addTo(set, change.kind .. ':' .. change.id, change.ends)
  end
end

local function revokeGrant(grant)
  local key = prefix .. 'g:' .. grant
  for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    local colon = string.find(member, ':', 1, true)
    remove(string.sub(member, 1, colon - 1), string.sub(member, colon + 1))
  end
  redis.call('DEL', key)
end

for place, change in ipairs(changes) do
  if change['do'] == 'putNew' then
    local ends = redis.call('HGET', itemKey(change.kind, change.id), 'ends')
    if ends and (ends == '' or tonumber(ends) > now) then return place end
  elseif change['do'] == 'consume' then
    if redis.call('HGET', itemKey(change.kind, change.id), 'consumed') ~= '' then return place end
  end
end

for _, change in ipairs(changes) do
  local what = change['do']
  if what == 'put' or what == 'putNew' then put(change)
  elseif what == 'consume' then consume(change)
  elseif what == 'delete' then remove(change.kind, change.id)
  elseif what == 'revokeGrant' then revokeGrant(change.grant) end
end
return 0
`
