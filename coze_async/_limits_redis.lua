-- What the processes that share a limit ask of Redis, many questions in one call, all or nothing for each.
--
-- KEYS: the clock, who is alive, and then those of each operation, in their order. All have one hash tag.
-- ARGV: who asks, the epoch and the number of calls that it knows (0 for none), its lease, and then the operations:
--
--     T n {limit window more}…   a turn in n lanes;     keys of a lane: turns, line, pause
--     E n {limit held more}…     a place in n places;   keys of a place: holders, line
--     H count                    so many are held in a place: set, not added, so that it may be said twice
--     N window n age…            turns of a lane, oldest first, that this Redis does not know of
--     U at                       a turn that nobody used is taken back
--     P time                     nobody has a turn in a lane for so long
--     L                          nobody waits in a lane or a place any more; key: line
--     B                          the process leaves
--
-- Returns: state, now, epoch, number of calls, number of processes; and for each T and E: 1 if it was granted, and for
-- each of its lanes or places how many more would be, and if none, for how long.
-- States: 0, all is done. 1, nothing is done: this Redis lost what was told to another epoch, tell it again.
-- 2, all is done, but nothing was heard for longer than the lease: say again what is held.
--
-- All times are microseconds of Redis' own clock.

local call = redis.call
local me, epoch, calls, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock, alive = KEYS[1], KEYS[2]

-- Every process is heard of twice a second. One that was not for so long is in nobody's way.
local SILENCE = 2000000
-- So long nothing is granted after a loss: until then all that are alive have told again what they know.
local RECOVERY = 2000000
-- When a turn or place is kept for others who come at any moment.
local MOMENT = 20000
local DAY = 86400000

-- The clock never goes back: a jump is added from then on. Without it, time would open the gates a second time.
local time = call('TIME')
local raw = tonumber(time[1]) * 1000000 + tonumber(time[2])
local kept = call('HMGET', clock, 'epoch', 'calls', 'last', 'added', 'lost', 'before')
for i = 1, 6 do
    kept[i] = tonumber(kept[i] or 0)
end
local added = kept[4]
if raw + added < kept[3] then
    added = kept[3] - raw
end
local now = raw + added

-- What is remembered belongs to an epoch. Another one, or fewer calls than a process has seen, means that Redis was
-- emptied, or went back to what it had saved.
local current, lost, before = kept[1], kept[5], kept[6]
local has_lost = false
if current == 0 and epoch == 0 then
    current = now
elseif epoch ~= 0 and (current ~= epoch or kept[2] < calls) then
    has_lost = true
    if current == 0 or epoch ~= before then
        lost, before = now, epoch
    end
    if current == 0 or current == epoch then
        current = now
    end
end
local number = kept[2] + 1
call('HSET', clock, 'epoch', current, 'calls', number, 'last', now, 'added', added, 'lost', lost, 'before', before)
call('PEXPIRE', clock, DAY)

local last_heard = tonumber(call('ZSCORE', alive, me) or 0)
local state = 0
if has_lost then
    state = 1
elseif epoch ~= 0 and last_heard + lease < now then
    state = 2
end
call('ZREMRANGEBYSCORE', alive, '-inf', now - lease)
call('ZADD', alive, now, me)
call('PEXPIRE', alive, math.ceil(lease / 1000) * 2)
local reply = {state, now, current, number, call('ZCOUNT', alive, now - SILENCE, '+inf')}
if has_lost then
    return reply
end

local heard_of = {}
local function heard(process)
    if not heard_of[process] then
        heard_of[process] = tonumber(call('ZSCORE', alive, process) or 0)
    end
    return heard_of[process]
end

-- How many processes are in line before this one, and whether it stands there itself.
local function line_before(line)
    local ahead = 0
    for _, process in ipairs(call('ZRANGE', line, 0, -1)) do
        if process == me then
            return ahead, true
        elseif heard(process) + SILENCE < now then
            call('ZREM', line, process)
        else
            ahead = ahead + 1
        end
    end
    return ahead, false
end

local function join(line)
    call('ZADD', line, 'NX', now, me)
    call('PEXPIRE', line, math.ceil(lease / 1000))
end

-- How many of this process are in each place, as far as this call has come.
local held = {}

local function look_at_lane(lane)
    while true do
        local oldest = call('LINDEX', lane.turns, -1)
        if not oldest or oldest + lane.window > now then
            break
        end
        call('RPOP', lane.turns)
    end
    local ahead
    ahead, lane.in_line = line_before(lane.line)
    lane.free = lane.limit - call('LLEN', lane.turns) - ahead
    lane.opens = 0
    if lane.free < 1 then
        -- Its turn is the one after those of the processes before it, which may take more than one window.
        local last = call('LINDEX', lane.turns, lane.limit - 1 - ahead % lane.limit)
        lane.opens = last and last + lane.window * (1 + math.floor(ahead / lane.limit)) or now + MOMENT
    end
    lane.opens = math.max(lane.opens, tonumber(call('GET', lane.pause) or 0))
end

local function look_at_place(place)
    local taken = held[place.holders]
    local entries = call('HGETALL', place.holders)
    for i = 1, #entries, 2 do
        if entries[i] ~= me then
            if heard(entries[i]) == 0 then
                call('HDEL', place.holders, entries[i])
            else
                taken = taken + tonumber(entries[i + 1])
            end
        end
    end
    local ahead
    ahead, place.in_line = line_before(place.line)
    place.free = place.limit - taken - ahead
    -- Nobody knows when a chat ends; who is first in line may look soonest.
    place.opens = place.free < 1 and now + MOMENT * (1 + ahead) or 0
end

local function take_lane(lane)
    call('LPUSH', lane.turns, now)
    call('PEXPIRE', lane.turns, math.ceil(lane.window / 1000) + 1000)
end

local function hold(holders, count)
    held[holders] = count
    if count > 0 then
        call('HSET', holders, me, count)
        call('PEXPIRE', holders, math.ceil(lease / 1000) * 2)
    else
        call('HDEL', holders, me)
    end
end

local key, argument = 3, 5
local function next_key()
    key = key + 1
    return KEYS[key - 1]
end
local function next_argument()
    argument = argument + 1
    return ARGV[argument - 1]
end
local function next_number()
    return tonumber(next_argument())
end

-- The lanes or places of one question, as they are now.
local function gates_of(is_turn)
    local gates = {}
    for i = 1, next_number() do
        local gate
        if is_turn then
            gate = {turns = next_key(), line = next_key(), pause = next_key()}
            gate.limit, gate.window, gate.more, gate.look = next_number(), next_number(), next_number(), look_at_lane
        else
            gate = {holders = next_key(), line = next_key(), look = look_at_place}
            local limit, count, more = next_number(), next_number(), next_number()
            gate.limit, gate.more = limit, more
            held[gate.holders] = held[gate.holders] or count
        end
        gate:look()
        gate.opens = math.max(gate.opens, lost > 0 and lost + RECOVERY or 0)
        gates[i] = gate
    end
    return gates
end

local function ask(is_turn)
    local gates = gates_of(is_turn)
    local closed
    for _, gate in ipairs(gates) do
        if gate.opens > now and (not closed or gate.opens > closed.opens) then
            closed = gate
        end
    end
    table.insert(reply, closed and 0 or 1)
    for _, gate in ipairs(gates) do
        if closed then
            -- It waits for the one that opens last, and in no other line: it would stand in the way there.
            if gate == closed then
                join(gate.line)
            elseif gate.in_line then
                call('ZREM', gate.line, me)
            end
        else
            if is_turn then
                take_lane(gate)
            else
                hold(gate.holders, held[gate.holders] + 1)
            end
            gate.free = gate.free - 1
            if gate.in_line then
                call('ZREM', gate.line, me)
            end
            if gate.free < 1 then
                -- Behind all others, if it has more to ask: then the processes take turns.
                if gate.more == 1 then
                    join(gate.line)
                end
                gate:look()
            end
        end
        table.insert(reply, gate.opens > now and 0 or gate.free)
        table.insert(reply, gate.opens > now and gate.opens - now or 0)
    end
end

local operations = {
    T = function() ask(true) end,
    E = function() ask(false) end,
    H = function() hold(next_key(), next_number()) end,
    N = function()
        local turns, window = next_key(), next_number()
        local newest = tonumber(call('LINDEX', turns, 0) or 0)
        for _ = 1, next_number() do
            newest = math.max(newest, now - next_number())
            call('LPUSH', turns, newest)
        end
        call('PEXPIRE', turns, math.ceil(window / 1000) + 1000)
    end,
    U = function() call('LREM', next_key(), 1, next_argument()) end,
    P = function()
        local pause, length = next_key(), next_number()
        if tonumber(call('GET', pause) or 0) < now + length then
            call('SET', pause, now + length, 'PX', math.ceil(length / 1000) + 1)
        end
    end,
    L = function() call('ZREM', next_key(), me) end,
    B = function() call('ZREM', alive, me) end,
}
while ARGV[argument] do
    operations[next_argument()]()
end
return reply
