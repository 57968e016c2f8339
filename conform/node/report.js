// What a run has found: checks grouped by feature, printed as they come, and kept for the compatibility table.
'use strict';
const fs = require('fs');

class Report {
  constructor(version, target) {
    Object.assign(this, { version, target, features: [], started: Date.now() });
  }

  async feature(name, run) {
    const current = { name, absent: '', checks: [] };
    this.features.push(current);
    const record = (check, why) => {
      current.checks.push({ name: check, ok: !why, why: why || '' });
      console.log(why ? `not ok ${name}: ${check}: ${why}` : `ok ${name}: ${check}`);
    };
    const check = async (what, body) => {
      try {
        await body();
        record(what, '');
      } catch (error) {
        record(what, String((error && error.message) || error).replace(/\s+/g, ' ').slice(0, 400));
      }
    };
    try {
      await run(check);
    } catch (error) {
      record('preparation', String((error && error.stack) || error).replace(/\s+/g, ' ').slice(0, 400));
    }
  }

  finish(path) {
    const checks = this.features.flatMap((feature) => feature.checks);
    const passed = checks.filter((check) => check.ok).length;
    const failed = checks.length - passed;
    const seconds = (Date.now() - this.started) / 1000;
    const result = { client: 'Node SDK', version: this.version, target: this.target, passed, failed, seconds, features: this.features };
    if (path) fs.writeFileSync(path, JSON.stringify(result, null, 1));
    console.log(`Node SDK ${this.version}: ${passed} passed, ${failed} failed in ${seconds.toFixed(1)} s`);
    return failed === 0 && passed > 0 ? 0 : 1;
  }
}

module.exports = { Report };
