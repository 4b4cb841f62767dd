// Plain JavaScript of the oldest kind: this file must run on a Node that is too old for everything else.
var major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  process.stderr.write(
    'Gatehouse needs Node 24 or later; this is Node ' +
      process.versions.node +
      '. In a clone run "npm ci" again (it brings its own Node; with npm 12 allow the install script of "node"). ' +
      'Elsewhere: npx -p node@24 -p mcp-gatehouse gatehouse\n',
  )
  process.exit(1)
}
