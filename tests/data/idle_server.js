// A server of idle connections, which stops to run, blocked for 8 s, when one of
// them says something: what others write then stays unread. Prints its port.
const server = require('net').createServer((socket) => {
	socket.on('error', () => {});
	socket.on('data', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 8000));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
