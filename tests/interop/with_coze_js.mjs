// Calls every method of the official JavaScript SDK, unmodified, against a server: `with_coze_js.mjs FOLDER URL`.
//
// FOLDER holds the node_modules with the SDK. A line of JSON with the methods that the SDK has, then one for each call:
// what was called, and what went wrong, if anything did. The calls stand in the order in which a person would make
// them, and hand on what they made: what one creates, the next ones read back. A second call of a method says in
// parentheses what is special about it.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [folder, url] = process.argv.slice(2);
const sdk = createRequire(join(folder, 'package.json'))('@coze/api');
const coze = new sdk.CozeAPI({ token: 'pat_x', baseURL: url });
const files = mkdtempSync(join(tmpdir(), 'interop-'));
const calls = new Map();
const made = {}; // What earlier calls have made: ids by name.

const call = (name, run) => calls.set(name, run);
const ask = text => [{ role: 'user', content: text, content_type: 'text' }];
const sleep = seconds => new Promise(resolve => setTimeout(resolve, seconds * 1000));

async function all(stream) {
  const events = [];
  // What the stream hands out may be one object that changes: a copy stays as it was.
  for await (const event of stream) events.push({ ...event });
  return events;
}

const text = events =>
  events.filter(one => one.event === sdk.ChatEventType.CONVERSATION_MESSAGE_DELTA).map(one => one.data.content).join('');

const file = (name, content) => {
  writeFileSync(join(files, name), content);
  return createReadStream(join(files, name));
};

const sound = () => file('voice.wav', Buffer.from('RIFF\x24\x00\x00\x00WAVEfmt '));

async function refused(run, ...codes) {
  try {
    await run();
  } catch (error) {
    assert.ok(error instanceof sdk.APIError, String(error));
    assert.ok(codes.includes(error.code), `code ${error.code} instead of ${codes}: ${error.message}`);
    assert.ok(error.logid, 'no log id');
    return error;
  }
  throw new Error(`not refused; ${codes} expected`);
}

async function until(isOver) {
  // Something that takes the server a fraction of a second.
  for (let round = 0; round < 200; round += 1) {
    if (await isOver()) return;
    await sleep(0.05);
  }
  throw new Error('not over after ten seconds');
}

// --- who, where ------------------------------------------------------------------------------------------------------

call('users.me', async () => {
  const me = await coze.users.me();
  assert.ok(me.user_id && me.user_name);
});

call('workspaces.list', async () => {
  const page = await coze.workspaces.list({ page_num: 1, page_size: 10 });
  assert.equal(page.total_count, page.workspaces.length);
  made.space = page.workspaces[0].id;
});

// --- files -----------------------------------------------------------------------------------------------------------

call('files.upload', async () => {
  const uploaded = await coze.files.upload({ file: file('notes.csv', '备忘 notes') });
  assert.deepEqual([uploaded.file_name, uploaded.bytes], ['notes.csv', Buffer.byteLength('备忘 notes')]);
  made.file = uploaded.id;
});

call('files.retrieve', async () => {
  assert.equal((await coze.files.retrieve(made.file)).id, made.file);
});

// --- bots ------------------------------------------------------------------------------------------------------------

call('bots.create', async () => {
  const bot = await coze.bots.create({
    space_id: made.space,
    name: 'Interop',
    description: 'Made by the official SDK',
    icon_file_id: made.file,
    prompt_info: { prompt: 'Be kind.' },
    onboarding_info: { prologue: 'Hi!', suggested_questions: ['What can you do?'] },
    model_info_config: { model_id: '1706077826', temperature: 0.5, context_round: 5 },
  });
  made.bot = bot.bot_id;
  await refused(() => coze.chat.create({ bot_id: made.bot, additional_messages: ask('Hi') }), 4015);
});

call('bots.publish', async () => {
  await coze.bots.publish({ bot_id: made.bot, connector_ids: ['1024'] });
});

call('bots.retrieve', async () => {
  const bot = await coze.bots.retrieve({ bot_id: made.bot });
  assert.deepEqual([bot.name, bot.description], ['Interop', 'Made by the official SDK']);
  assert.equal(bot.prompt_info.prompt, 'Be kind.');
  assert.deepEqual(bot.onboarding_info.suggested_questions, ['What can you do?']);
});

call('bots.update', async () => {
  await coze.bots.update({ bot_id: made.bot, name: 'Renamed' });
});

call('bots.retrieveNew', async () => {
  // What is published stays as it was until it is published again.
  assert.equal((await coze.bots.retrieveNew(made.bot, { is_published: false })).name, 'Renamed');
  assert.equal((await coze.bots.retrieveNew(made.bot, { is_published: true })).name, 'Interop');
  await coze.bots.publish({ bot_id: made.bot, connector_ids: ['1024'] });
});

call('bots.list', async () => {
  const page = await coze.bots.list({ space_id: made.space });
  assert.ok(page.space_bots.some(bot => bot.bot_id === made.bot));
});

call('bots.listNew', async () => {
  const page = await coze.bots.listNew({ workspace_id: made.space, publish_status: 'published_online' });
  assert.ok(page.items.some(bot => bot.id === made.bot));
});

call('templates.duplicate', async () => {
  const copy = await coze.templates.duplicate('7400000000000000333', { workspace_id: made.space, name: 'Copy' });
  assert.ok(copy.entity_id && copy.entity_type);
});

// --- chats -----------------------------------------------------------------------------------------------------------

call('chat.stream', async () => {
  const question = ask('How is the weather in 杭州?');
  const stream = coze.chat.stream({ bot_id: 'everything', user_id: 'u', additional_messages: question });
  const events = await all(stream);
  assert.equal(text(events), 'Sunny. 晴，24°C。Bring a hat.');
  assert.equal(events[0].event, sdk.ChatEventType.CONVERSATION_CHAT_CREATED);
  const thoughts = events.map(one => one.data.reasoning_content ?? '');
  assert.ok(thoughts.join('').startsWith('They ask for the weather.'));
  assert.deepEqual(events.at(-1), { event: 'done', data: '[DONE]' });
  const chat = events.at(-2).data;
  assert.equal(chat.status, sdk.ChatStatus.COMPLETED);
  assert.ok(chat.usage.token_count > 0);
  made.conversation = chat.conversation_id;
  const failing = await all(coze.chat.stream({ bot_id: 'failing', user_id: 'u', additional_messages: question }));
  const failed = failing.find(one => one.event === sdk.ChatEventType.CONVERSATION_CHAT_FAILED);
  assert.equal(failed.data.last_error.code, 5000);
  // JSON instead of a stream is no error to the SDK: it hands it out as an event of that name.
  const [error] = await all(coze.chat.stream({ bot_id: 'unpublished', additional_messages: question }));
  assert.deepEqual([error.event, error.data.code], ['error', 4015]);
});

call('chat.stream (keep-alive comments)', async () => {
  const events = await all(coze.chat.stream({ bot_id: 'kept alive', user_id: 'u', additional_messages: ask('Hi') }));
  assert.equal(text(events), 'Hello there.');
});

call('chat.create', async () => {
  const chat = await coze.chat.create({
    bot_id: 'quick',
    user_id: 'u',
    additional_messages: ask('Hi'),
    meta_data: { k: 'v' },
  });
  assert.ok(['created', 'in_progress'].includes(chat.status));
  made.quick = chat;
});

call('chat.retrieve', async () => {
  const { id, conversation_id } = made.quick;
  await until(async () => (await coze.chat.retrieve(conversation_id, id)).status === sdk.ChatStatus.COMPLETED);
  assert.deepEqual((await coze.chat.retrieve(conversation_id, id)).meta_data, { k: 'v' });
});

call('chat.messages.list', async () => {
  const messages = await coze.chat.messages.list(made.quick.conversation_id, made.quick.id);
  assert.deepEqual(messages.filter(one => one.type === 'answer').map(one => one.content), ['Hello there.']);
});

call('chat.createAndPoll', async () => {
  const { chat, messages } = await coze.chat.createAndPoll({
    bot_id: 'quick',
    user_id: 'u',
    conversation_id: made.conversation,
    additional_messages: ask('Hi'),
  });
  assert.deepEqual([chat.status, chat.conversation_id], ['completed', made.conversation]);
  assert.deepEqual(messages.filter(one => one.type === 'answer').map(one => one.content), ['Hello there.']);
});

call('chat.cancel', async () => {
  const question = { bot_id: 'slow', user_id: 'u', additional_messages: ask('Hi') };
  const { id, conversation_id } = await coze.chat.create(question);
  await refused(() => coze.chat.create({ ...question, conversation_id }), 4016);
  assert.equal((await coze.chat.cancel(conversation_id, id)).status, 'canceled');
  await refused(() => coze.chat.cancel(conversation_id, id), 4104);
});

async function waiting() {
  const question = ask('What time is it?');
  const events = await all(coze.chat.stream({ bot_id: 'tools', user_id: 'u', additional_messages: question }));
  const stopped = events.find(one => one.event === sdk.ChatEventType.CONVERSATION_CHAT_REQUIRES_ACTION).data;
  const [tool] = stopped.required_action.submit_tool_outputs.tool_calls;
  assert.deepEqual([tool.function.name, JSON.parse(tool.function.arguments)], ['clock', { zone: 'UTC' }]);
  return {
    conversation_id: stopped.conversation_id,
    chat_id: stopped.id,
    tool_outputs: [{ tool_call_id: tool.id, output: '12:00' }],
  };
}

call('chat.submitToolOutputs', async () => {
  const events = await all(coze.chat.submitToolOutputs({ ...(await waiting()), stream: true }));
  assert.equal(text(events), 'It is noon.');
  assert.equal(events.at(-1).event, 'done');
});

call('chat.submitToolOutputs (not streamed)', async () => {
  const outputs = await waiting();
  const { value } = await coze.chat.submitToolOutputs({ ...outputs, stream: false }).next();
  assert.deepEqual([value.id, value.status], [outputs.chat_id, 'in_progress']);
});

// --- conversations ---------------------------------------------------------------------------------------------------

call('conversations.create', async () => {
  const messages = ask('I live in 杭州.');
  made.talk = (await coze.conversations.create({ messages, bot_id: made.bot, meta_data: { city: '杭州' } })).id;
});

call('conversations.retrieve', async () => {
  const conversation = await coze.conversations.retrieve(made.talk);
  assert.deepEqual([conversation.id, conversation.meta_data], [made.talk, { city: '杭州' }]);
  await refused(() => coze.conversations.retrieve('1'), 4001);
});

call('conversations.list', async () => {
  const { conversations } = await coze.conversations.list({ bot_id: made.bot });
  assert.ok(conversations.some(one => one.id === made.talk));
});

call('conversations.messages.create', async () => {
  for (const content of ['And I like tea.', 'With milk.']) {
    const message = { role: 'user', content, content_type: 'text', meta_data: { n: '1' } };
    const created = await coze.conversations.messages.create(made.talk, message);
    assert.equal(created.content, content);
    made.message = created.id;
  }
});

call('conversations.messages.retrieve', async () => {
  const message = await coze.conversations.messages.retrieve(made.talk, made.message);
  assert.deepEqual([message.content, message.meta_data], ['With milk.', { n: '1' }]);
});

call('conversations.messages.update', async () => {
  const change = { content: 'Without milk.', content_type: 'text' };
  assert.equal((await coze.conversations.messages.update(made.talk, made.message, change)).content, 'Without milk.');
});

call('conversations.messages.list', async () => {
  const { data } = await coze.conversations.messages.list(made.talk, { order: 'asc' });
  assert.deepEqual(data.map(one => one.content), ['I live in 杭州.', 'And I like tea.', 'Without milk.']);
});

call('conversations.messages.delete', async () => {
  assert.equal((await coze.conversations.messages.delete(made.talk, made.message)).id, made.message);
  assert.equal((await coze.conversations.messages.list(made.talk, {})).data.length, 2);
});

call('conversations.clear', async () => {
  const before = (await coze.conversations.retrieve(made.talk)).last_section_id;
  const section = await coze.conversations.clear(made.talk);
  assert.equal(section.conversation_id, made.talk);
  assert.notEqual(section.id, before);
});

// --- variables -------------------------------------------------------------------------------------------------------

call('variables.update', async () => {
  const data = [{ keyword: 'city', value: '杭州' }, { keyword: 'drink', value: 'tea' }];
  await coze.variables.update({ connector_uid: 'u', bot_id: made.bot, data });
});

call('variables.retrieve', async () => {
  const { items } = await coze.variables.retrieve({ connector_uid: 'u', bot_id: made.bot, keywords: ['city'] });
  assert.deepEqual(items.map(one => [one.keyword, one.value]), [['city', '杭州']]);
});

// --- workflows -------------------------------------------------------------------------------------------------------

call('workflows.runs.create', async () => {
  const run = await coze.workflows.runs.create({ workflow_id: 'plain', parameters: { a: 1 } });
  assert.deepEqual(JSON.parse(run.data), { answer: 42 });
  assert.ok(run.debug_url);
  await refused(() => coze.workflows.runs.create({ workflow_id: 'failing' }), 720702204);
  made.run = (await coze.workflows.runs.create({ workflow_id: 'plain', is_async: true })).execute_id;
});

call('workflows.runs.history', async () => {
  let history;
  await until(async () => {
    [history] = await coze.workflows.runs.history('plain', made.run);
    return history.execute_status === 'Success';
  });
  assert.deepEqual(JSON.parse(history.output), { Think: 'Thinking about it.', Output: '{"answer":42}' });
});

call('workflows.runs.stream', async () => {
  const events = await all(coze.workflows.runs.stream({ workflow_id: 'plain' }));
  const said = events.filter(one => one.event === sdk.WorkflowEventType.MESSAGE).map(one => one.data.content);
  assert.equal(said.join(''), 'Thinking about it.{"answer":42}');
  assert.deepEqual(events.map(one => one.id), events.map((_, index) => index));
  assert.equal(events.at(-1).event, sdk.WorkflowEventType.DONE);
  const failing = await all(coze.workflows.runs.stream({ workflow_id: 'failing' }));
  assert.equal(failing.find(one => one.event === sdk.WorkflowEventType.ERROR).data.error_code, 720702204);
});

call('workflows.runs.stream (heart-beats)', async () => {
  const events = await all(coze.workflows.runs.stream({ workflow_id: 'kept alive' }));
  assert.equal(events.filter(one => one.event === sdk.WorkflowEventType.MESSAGE).length, 2);
});

call('workflows.runs.resume', async () => {
  const events = await all(coze.workflows.runs.stream({ workflow_id: 'asking' }));
  const stopped = events.find(one => one.event === sdk.WorkflowEventType.INTERRUPT).data.interrupt_data;
  const resumed = await all(
    coze.workflows.runs.resume({
      workflow_id: 'asking',
      event_id: stopped.event_id,
      resume_data: '杭州',
      interrupt_type: stopped.type,
    }),
  );
  assert.ok(resumed.some(one => one.data?.content?.includes('杭州')));
});

call('workflows.chat.stream', async () => {
  const events = await all(
    coze.workflows.chat.stream({ workflow_id: 'flow', bot_id: made.bot, additional_messages: ask('Hi') }),
  );
  assert.ok(text(events));
  assert.deepEqual(events.slice(-2).map(one => one.event), ['conversation.chat.completed', 'done']);
});

// --- knowledge -------------------------------------------------------------------------------------------------------

const documents = (...names) =>
  names.map(name => {
    const content = Buffer.from(`All about ${name}.`).toString('base64');
    return { name, source_info: { file_base64: content, file_type: 'txt' } };
  });

const strategy = { chunk_type: 0 };
const named = async list => (await list).document_infos.map(one => one.name).sort();

call('datasets.create', async () => {
  const texts = { name: 'Handbook', space_id: made.space, format_type: 0 };
  made.dataset = (await coze.datasets.create(texts)).dataset_id;
  const images = { name: 'Pictures', space_id: made.space, format_type: 2 };
  made.images = (await coze.datasets.create(images)).dataset_id;
});

call('datasets.list', async () => {
  const { dataset_list } = await coze.datasets.list({ space_id: made.space });
  assert.equal(dataset_list.find(one => one.dataset_id === made.dataset).name, 'Handbook');
});

call('datasets.update', async () => {
  await coze.datasets.update(made.dataset, { name: 'Manual', description: 'How it works' });
  const { dataset_list } = await coze.datasets.list({ space_id: made.space, name: 'Manual' });
  assert.deepEqual(dataset_list.map(one => one.dataset_id), [made.dataset]);
});

call('datasets.documents.create', async () => {
  const created = await coze.datasets.documents.create({
    dataset_id: made.dataset,
    document_bases: documents('a.txt', 'b.txt'),
    chunk_strategy: strategy,
  });
  assert.deepEqual(created.map(one => one.name), ['a.txt', 'b.txt']);
  made.documents = created.map(one => one.document_id);
  const [picture] = await coze.datasets.documents.create({
    dataset_id: made.images,
    document_bases: [{ name: 'cat.png', source_info: { source_file_id: made.file, document_source: 5 } }],
    chunk_strategy: { caption_type: 0 },
    format_type: 2,
  });
  made.picture = picture.document_id;
});

call('datasets.documents.list', async () => {
  const page = await coze.datasets.documents.list({ dataset_id: made.dataset, page: 1, page_size: 1 });
  assert.deepEqual([page.document_infos.length, page.total], [1, 2]);
});

call('datasets.documents.update', async () => {
  const update_rule = { update_type: 0, update_interval: 24 };
  await coze.datasets.documents.update({ document_id: made.documents[0], document_name: 'c.txt', update_rule });
  assert.deepEqual(await named(coze.datasets.documents.list({ dataset_id: made.dataset })), ['b.txt', 'c.txt']);
});

call('datasets.process', async () => {
  const { data } = await coze.datasets.process(made.dataset, { document_ids: made.documents });
  assert.deepEqual(data.map(one => one.document_id), made.documents);
});

call('datasets.documents.delete', async () => {
  await coze.datasets.documents.delete({ document_ids: made.documents.slice(0, 1) });
  assert.deepEqual(await named(coze.datasets.documents.list({ dataset_id: made.dataset })), ['b.txt']);
});

call('datasets.images.list', async () => {
  const { photo_infos } = await coze.datasets.images.list(made.images, { page_num: 1 });
  assert.deepEqual(photo_infos.map(one => one.document_id), [made.picture]);
});

call('datasets.images.update', async () => {
  await coze.datasets.images.update(made.images, made.picture, { caption: 'A cat' });
  assert.equal((await coze.datasets.images.list(made.images)).photo_infos[0].caption, 'A cat');
});

call('datasets.delete', async () => {
  await coze.datasets.delete(made.images);
  const { dataset_list } = await coze.datasets.list({ space_id: made.space });
  assert.ok(!dataset_list.some(one => one.dataset_id === made.images));
});

call('knowledge.documents.create', async () => {
  const [created] = await coze.knowledge.documents.create({
    dataset_id: made.dataset,
    document_bases: documents('old.txt'),
    chunk_strategy: strategy,
  });
  made.old = created.document_id;
});

call('knowledge.documents.list', async () => {
  const names = await named(coze.knowledge.documents.list({ dataset_id: made.dataset }));
  assert.deepEqual(names, ['b.txt', 'old.txt']);
});

call('knowledge.documents.update', async () => {
  await coze.knowledge.documents.update({ document_id: made.old, document_name: 'older.txt' });
  const names = await named(coze.datasets.documents.list({ dataset_id: made.dataset }));
  assert.deepEqual(names, ['b.txt', 'older.txt']);
});

call('knowledge.documents.delete', async () => {
  await coze.knowledge.documents.delete({ document_ids: [made.old] });
  assert.deepEqual(await named(coze.datasets.documents.list({ dataset_id: made.dataset })), ['b.txt']);
});

// --- audio -----------------------------------------------------------------------------------------------------------

call('audio.speech.create', async () => {
  const speech = await coze.audio.speech.create({
    input: '你好',
    voice_id: '7400000000000000123',
    response_format: 'wav',
  });
  assert.equal(Buffer.from(speech).subarray(0, 4).toString(), 'RIFF');
});

call('audio.transcriptions.create', async () => {
  assert.ok((await coze.audio.transcriptions.create({ file: sound() })).text);
});

call('audio.voices.clone', async () => {
  made.voice = (await coze.audio.voices.clone({ voice_name: 'Mine', file: sound(), audio_format: 'wav' })).voice_id;
});

call('audio.voices.list', async () => {
  const { voice_list } = await coze.audio.voices.list();
  assert.equal(voice_list.find(one => one.voice_id === made.voice).name, 'Mine');
});

call('audio.rooms.create', async () => {
  const room = await coze.audio.rooms.create({ bot_id: made.bot, voice_id: made.voice, connector_id: '1024' });
  assert.ok(room.token && room.uid && room.app_id);
  made.room = room.room_id;
});

call('audio.live.retrieve', async () => {
  const live = await coze.audio.live.retrieve(made.room);
  assert.ok(live.app_id);
  assert.deepEqual(live.stream_infos.map(one => one.live_type), ['origin']);
});

call('audio.voiceprintGroups.create', async () => {
  made.group = (await coze.audio.voiceprintGroups.create({ name: 'Family', desc: 'At home' })).id;
});

call('audio.voiceprintGroups.update', async () => {
  await coze.audio.voiceprintGroups.update(made.group, { name: 'Kin' });
});

call('audio.voiceprintGroups.list', async () => {
  const { items } = await coze.audio.voiceprintGroups.list({ group_id: made.group });
  assert.deepEqual(items.map(one => one.name), ['Kin']);
});

call('audio.voiceprintGroups.features.create', async () => {
  const created = await coze.audio.voiceprintGroups.features.create(made.group, { name: 'Li', file: sound() });
  made.feature = created.id;
});

call('audio.voiceprintGroups.features.update', async () => {
  await coze.audio.voiceprintGroups.features.update(made.group, made.feature, { name: 'Li Lei' });
});

call('audio.voiceprintGroups.features.list', async () => {
  const { items } = await coze.audio.voiceprintGroups.features.list(made.group);
  assert.deepEqual(items.map(one => one.name), ['Li Lei']);
});

call('audio.voiceprintGroups.features.speakerIdentify', async () => {
  const recording = { file: sound(), top_k: 1, sample_rate: 16000, channel: 1 };
  const found = await coze.audio.voiceprintGroups.features.speakerIdentify(made.group, recording);
  assert.deepEqual(found.feature_score_list.map(one => one.feature_id), [made.feature]);
});

call('audio.voiceprintGroups.features.delete', async () => {
  await coze.audio.voiceprintGroups.features.delete(made.group, made.feature);
  assert.deepEqual((await coze.audio.voiceprintGroups.features.list(made.group)).items, []);
});

call('audio.voiceprintGroups.delete', async () => {
  await coze.audio.voiceprintGroups.delete(made.group);
  assert.ok(!(await coze.audio.voiceprintGroups.list()).items.some(one => one.id === made.group));
});

// --- logins ----------------------------------------------------------------------------------------------------------

const app = { baseURL: url, clientId: 'app' };
const back = { ...app, redirectUrl: 'http://127.0.0.1/back' };
const who = async token => (await new sdk.CozeAPI({ token: token.access_token, baseURL: url }).users.me()).user_id;

async function codeFrom(address) {
  // The server sends a person back with a code.
  const answer = await fetch(address, { redirect: 'manual' });
  return new URL(answer.headers.get('location')).searchParams.get('code');
}

call('getJWTToken', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const token = await sdk.getJWTToken({
    baseURL: url,
    appId: 'app',
    aud: new URL(url).host,
    keyid: 'key',
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  });
  assert.ok(token.expires_in > Date.now() / 1000);
  assert.ok(await who(token));
});

call('getDeviceCode', async () => {
  made.device = await sdk.getDeviceCode(app);
  assert.ok(made.device.user_code);
});

call('getDeviceToken', async () => {
  const device = { ...app, deviceCode: made.device.device_code };
  await assert.rejects(sdk.getDeviceToken(device), error => error.rawError.error === 'authorization_pending');
  // The person opens the page, and that is a yes.
  await fetch(`${made.device.verification_uri}?user_code=${made.device.user_code}`);
  await sleep(made.device.interval);
  made.token = await sdk.getDeviceToken({ ...device, poll: true });
  assert.ok(await who(made.token));
});

call('refreshOAuthToken', async () => {
  const token = await sdk.refreshOAuthToken({ ...app, refreshToken: made.token.refresh_token });
  assert.notEqual(token.access_token, made.token.access_token);
  assert.ok(await who(token));
});

call('getPKCEAuthenticationUrl', async () => {
  const { url: address, codeVerifier } = await sdk.getPKCEAuthenticationUrl({ ...back, state: 's' });
  Object.assign(made, { code: await codeFrom(address), codeVerifier });
  assert.ok(made.code);
});

call('getPKCEOAuthToken', async () => {
  const { code, codeVerifier } = made;
  assert.ok(await who(await sdk.getPKCEOAuthToken({ ...back, code, codeVerifier })));
});

call('getWebAuthenticationUrl', async () => {
  made.code = await codeFrom(sdk.getWebAuthenticationUrl({ ...back, state: 's' }));
  assert.ok(made.code);
});

call('getWebOAuthToken', async () => {
  const token = await sdk.getWebOAuthToken({ ...back, code: made.code, clientSecret: 'secret' });
  assert.ok(await who(token));
});

// ---------------------------------------------------------------------------------------------------------------------

function* methods(of, path = []) {
  // A resource is what knows its client.
  const own = path.length ? Object.getOwnPropertyNames(Object.getPrototypeOf(of)) : [];
  for (const name of own) {
    if (name !== 'constructor' && !name.startsWith('_') && typeof of[name] === 'function') yield [...path, name].join('.');
  }
  for (const [name, inner] of Object.entries(of)) {
    if (!name.startsWith('_') && inner?._client) yield* methods(inner, [...path, name]);
  }
}

const { version } = JSON.parse(readFileSync(join(folder, 'node_modules/@coze/api/package.json'), 'utf8'));
const logins = Object.keys(sdk).filter(name => /^(get|refresh)[A-Z]/.test(name));
console.log(JSON.stringify({ version, methods: [...methods(coze), ...logins] }));
for (const [name, run] of calls) {
  let error = null;
  try {
    await run();
  } catch (caught) {
    error = String(caught.stack);
  }
  console.log(JSON.stringify({ call: name, error }));
}
rmSync(files, { recursive: true });
