// What all WebGL 2 programs here are made of: textures, targets, and programs over a whole picture.

const CORNERS = `#version 300 es
void main() { // one triangle over all of the picture
  gl_Position = vec4(4 * (gl_VertexID & 1) - 1, 4 * (gl_VertexID >> 1) - 1, 0, 1);
}`;

/** The name of the graphics that WebGL 2 draws with, or null where there is no WebGL 2. */
export function graphicsName() {
  graphics ??= { name: readGraphicsName() };
  return graphics.name;
}

/**
 * Whether graphics of this name are the processor's work.
 * @param {string} name
 */
export function isSlow(name) {
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

/** @type {{ name: string | null } | null} */
let graphics = null; // once known

function readGraphicsName() {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return null;
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  const name = gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
  gl.getExtension("WEBGL_lose_context")?.loseContext(); // browsers keep few of them
  return String(name);
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {number} target
 * @param {number} filter
 */
export function newTexture(gl, target, filter) {
  const texture = gl.createTexture();
  gl.bindTexture(target, texture);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(target, name, filter);
  for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R]) {
    gl.texParameteri(target, name, gl.CLAMP_TO_EDGE);
  }
  return texture;
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {string} fragment
 */
export function newProgram(gl, fragment) {
  return finished(gl, begunProgram(gl, fragment));
}

/**
 * A program that the browser goes on to make while the page does other things.
 * @param {WebGL2RenderingContext} gl
 * @param {string} fragment
 */
function begunProgram(gl, fragment) {
  const program = gl.createProgram();
  for (const kind of [gl.VERTEX_SHADER, gl.FRAGMENT_SHADER]) {
    const shader = gl.createShader(kind);
    if (!shader) throw new Error("this browser's graphics are lost");
    gl.shaderSource(shader, kind === gl.VERTEX_SHADER ? CORNERS : fragment);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return program;
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {WebGLProgram} program that was begun
 */
function finished(gl, program) {
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    throw new Error(`this browser's graphics cannot do it: ${gl.getProgramInfoLog(program)}`);
  }
  return program;
}

/** Programs of one context by their names: making many at once would hold pictures up. */
export class Programs {
  #gl;
  #sources;
  #parallel;
  /** @type {Map<string, WebGLProgram>} */
  #begun = new Map();
  /** @type {Map<string, { program: WebGLProgram, places: Map<string, WebGLUniformLocation | null> }>} */
  #ready = new Map();

  /**
   * @param {WebGL2RenderingContext} gl
   * @param {Record<string, string>} sources
   */
  constructor(gl, sources) {
    this.#gl = gl;
    this.#sources = sources;
    this.#parallel = gl.getExtension("KHR_parallel_shader_compile");
  }

  /**
   * Whether programs can be used at once. They are begun; a browser that cannot tell when one is made
   * is waited for, for one of them at each call.
   * @param {string[]} names
   */
  areReady(names) {
    const gl = this.#gl;
    for (const name of names) this.#begin(name);
    const missing = names.filter((name) => !this.#ready.has(name));
    for (const name of missing) {
      const program = this.#begin(name);
      if (this.#parallel && !gl.getProgramParameter(program, this.#parallel.COMPLETION_STATUS_KHR)) return false;
      this.#ready.set(name, { program: finished(gl, program), places: new Map() });
      if (!this.#parallel) break;
    }
    return names.every((name) => this.#ready.has(name));
  }

  /**
   * Makes a program the one that draws.
   * @param {string} name
   * @returns {(uniform: string) => WebGLUniformLocation | null} where its uniforms are
   */
  use(name) {
    const gl = this.#gl;
    let made = this.#ready.get(name);
    if (!made) this.#ready.set(name, (made = { program: finished(gl, this.#begin(name)), places: new Map() }));
    const { program, places } = made;
    gl.useProgram(program);
    return (uniform) => {
      let place = places.get(uniform);
      if (place === undefined) places.set(uniform, (place = gl.getUniformLocation(program, uniform)));
      return place;
    };
  }

  /** @param {string} name */
  #begin(name) {
    let program = this.#begun.get(name);
    if (!program) this.#begun.set(name, (program = begunProgram(this.#gl, this.#sources[name])));
    return program;
  }
}

/**
 * What is drawn in, and read by the next program.
 * @typedef {{ texture: WebGLTexture, width: number, height: number }} Plane
 */

/**
 * @param {WebGL2RenderingContext} gl
 * @param {number} format
 * @param {number} width
 * @param {number} height
 * @param {number} [filter]
 * @returns {Plane}
 */
export function newPlane(gl, format, width, height, filter = gl.NEAREST) {
  const texture = newTexture(gl, gl.TEXTURE_2D, filter);
  gl.texStorage2D(gl.TEXTURE_2D, 1, format, width, height);
  return { texture, width, height };
}

/**
 * A frame buffer that draws in planes of one size.
 * @param {WebGL2RenderingContext} gl
 * @param {Plane[]} planes
 */
export function newTarget(gl, ...planes) {
  const frame = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
  const places = planes.map((_, i) => gl.COLOR_ATTACHMENT0 + i);
  planes.forEach(({ texture }, i) => {
    gl.framebufferTexture2D(gl.FRAMEBUFFER, places[i], gl.TEXTURE_2D, texture, 0);
  });
  gl.drawBuffers(places);
  if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) {
    throw new Error("this browser's graphics have no memory of the kind that is needed");
  }
  return frame;
}

/** A result that the graphics hand over some time after it was asked for: nobody waits. */
export class Readback {
  #gl;
  #buffer;
  #bytes;
  /** @type {WebGLSync | null} */
  #sync = null;

  /**
   * @param {WebGL2RenderingContext} gl
   * @param {number} bytes
   */
  constructor(gl, bytes) {
    this.#gl = gl;
    this.#bytes = bytes;
    this.#buffer = gl.createBuffer();
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, this.#buffer);
    gl.bufferData(gl.PIXEL_PACK_BUFFER, bytes, gl.STREAM_READ);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
  }

  /** Whether something was begun that was not taken yet. */
  get isPending() {
    return this.#sync !== null;
  }

  /**
   * Begins to read what was drawn in the frame buffer that is bound.
   * @param {number} width
   * @param {number} height
   * @param {number} format
   * @param {number} type
   */
  begin(width, height, format, type) {
    const gl = this.#gl;
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, this.#buffer);
    gl.readPixels(0, 0, width, height, format, type, 0);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
    this.drop();
    this.#sync = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
  }

  close() {
    this.drop();
    this.#gl.deleteBuffer(this.#buffer);
  }

  /** Forgets what was begun. */
  drop() {
    if (this.#sync) this.#gl.deleteSync(this.#sync);
    this.#sync = null;
  }

  /**
   * What was begun; null while the graphics are not ready, and where nothing was.
   * @returns {Uint8Array<ArrayBuffer> | null}
   */
  take() {
    const gl = this.#gl;
    if (!this.#sync || gl.clientWaitSync(this.#sync, 0, 0) === gl.TIMEOUT_EXPIRED) return null;
    this.drop();
    const read = new Uint8Array(this.#bytes);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, this.#buffer);
    gl.getBufferSubData(gl.PIXEL_PACK_BUFFER, 0, read);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
    return read;
  }
}
