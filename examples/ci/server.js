// A service with two answers: an order as JSON, and a report that is made from a file.
'use strict';
const fs = require('fs'), http = require('http');

const orders = Array.from({ length: 40 }, (_, id) => ({ id, customer: 'customer ' + id % 7, cents: id * 997 % 10000 }));

function order(response) {
  response.end(JSON.stringify(orders));
}

function report(response, file) {
  fs.readFile(file, (err, text) => {
    response.statusCode = err ? 500 : 200;
    response.end(err ? err.message : String(text.length));
  });
}

exports.start = (file) => http.createServer((request, response) => {
  if (request.url === '/report')
    report(response, file);
  else
    order(response);
});
