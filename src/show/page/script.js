'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const tip = document.getElementById('tip');
  const BLANK = -2147483648;

  // Numbers are packed as the bytes of 32-bit integers, first all lowest bytes, then all second ones …
  const unpacked = async (text) => {
    const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const planes = data.planes, count = bytes.length / planes, numbers = new Int32Array(count);
    for (let plane = 0; plane < planes; plane++) {
      for (let i = 0; i < count; i++) numbers[i] |= bytes[plane * count + i] << (8 * plane);
    }
    return numbers;
  };
  const cache = new Map();
  const numbersOf = (key, text) => {
    if (!cache.has(key)) cache.set(key, unpacked(text));
    return cache.get(key);
  };

  const labelText = (labels, x, y) => labels.template
    .replace(/\{([rc])(\d+)\}/g, (_, sign, part) => (sign === 'r' ? labels.rows[y] : labels.columns[x])[part]);
  const valueText = (number, divisor, one) => {
    const integer = number / divisor;
    const shown = divisor === 1 ? String(integer) : integer.toFixed(3);
    return one === 1 ? shown : `${shown} (${(integer / one).toFixed(4)})`;
  };
  const say = (event, text) => {
    tip.textContent = text;
    tip.style.display = text ? 'block' : 'none';
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + 16, innerHeight - height - 8))}px`;
  };
  const hush = () => { tip.style.display = 'none'; };
  const cellAt = (element, event, width, height) => {
    const box = element.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * width);
    const y = Math.floor((event.clientY - box.top) / box.height * height);
    return x >= 0 && y >= 0 && x < width && y < height ? [x, y] : null;
  };

  // Heat maps in drawings.
  for (const image of document.querySelectorAll('[data-heat]')) {
    const index = Number(image.dataset.heat), heat = data.heats[index];
    const [columns, rows] = heat.tile;
    const width = columns * heat.across, height = rows * Math.ceil(heat.names.length / heat.across);
    const nameAt = ([x, y]) => heat.names[Math.floor(y / rows) * heat.across + Math.floor(x / columns)];
    image.addEventListener('pointermove', async (event) => {
      const numbers = await numbersOf(`heat ${index}`, heat.data);
      const cell = cellAt(image, event, width, height);
      const name = cell && nameAt(cell), number = cell && numbers[cell[1] * width + cell[0]];
      if (!cell || name === undefined || number === BLANK) return hush();
      const what = labelText(heat.labels, cell[0] % columns, cell[1] % rows);
      const joint = name && what ? ', ' : '';
      say(event, `${name}${joint}${what}: ${valueText(number, heat.divisor, heat.one)}`);
    });
    image.addEventListener('pointerleave', hush);
    image.addEventListener('click', (event) => {
      const cell = cellAt(image, event, width, height);
      if (cell && data.detail) choose(nameAt(cell));
    });
  }

  // One neuron or bucket, weight by weight.
  const detail = data.detail, select = document.getElementById('column');
  let choose = () => {};
  if (detail && select) {
    const boards = document.getElementById('boards'), order = document.getElementById('order'), scale = document.getElementById('scale');
    const drawn = [];
    detail.columns.forEach((column, index) => select.append(new Option(column.name, index)));
    choose = (name) => {
      const index = detail.columns.findIndex((column) => column.name.split(' (')[0] === name);
      if (index < 0) return;
      select.value = index;
      draw().then(() => document.getElementById('detail').scrollIntoView({ behavior: 'smooth' }));
    };
    const colors = detail.palette;
    const draw = async () => {
      const column = detail.columns[select.value];
      const limit = Number(scale.value) > 0 ? Number(scale.value) : null;
      boards.replaceChildren();
      drawn.length = 0;
      for (let b = 0; b < detail.blocks.length; b++) {
        const block = detail.blocks[b];
        if (!column.data[b]) continue;
        const layouts = block.layouts, layout = layouts[order.value] || layouts[Object.keys(layouts)[0]];
        const [cells, numbers] = await Promise.all([
          numbersOf(`cells ${b} ${layout.key}`, layout.cells), numbersOf(`column ${select.value} ${b}`, column.data[b]),
        ]);
        const one = column.psqt ? detail.psqtOne : block.one;
        let most = 0;
        const sizes = Float64Array.from(numbers, Math.abs).sort();
        most = sizes[Math.min(sizes.length - 1, Math.floor(sizes.length * 0.995))] || 1;
        const high = limit === null ? most / one : limit;
        const [width, height] = layout.tile;
        const canvas = document.createElement('canvas');
        Object.assign(canvas, { width, height });
        canvas.dataset.block = block.name;
        const zoom = Math.max(1, Math.min(5, Math.floor(768 / Math.max(width, height))));
        canvas.style.width = `${width * zoom}px`;
        canvas.style.height = `${height * zoom}px`;
        const context = canvas.getContext('2d'), image = context.createImageData(width, height);
        for (let i = 0; i < cells.length; i++) {
          if (cells[i] === BLANK) continue;
          const share = Math.min(1, Math.max(0, (numbers[cells[i]] / one + high) / (2 * high)));
          const [r, g, blue] = colors[Math.round(share * (colors.length - 1))];
          image.data.set([r, g, blue, 255], 4 * i);
        }
        context.putImageData(image, 0, 0);
        canvas.addEventListener('pointermove', (event) => {
          const cell = cellAt(canvas, event, width, height);
          const row = cell ? cells[cell[1] * width + cell[0]] : BLANK;
          if (row === BLANK) return hush();
          say(event, `${column.name}, ${labelText(layout.labels, cell[0], cell[1])}: ${valueText(numbers[row], 1, one)}`);
        });
        canvas.addEventListener('pointerleave', hush);
        const figure = document.createElement('figure'), caption = document.createElement('figcaption');
        caption.className = 'note';
        caption.textContent = `${block.title}, colours from −${high.toPrecision(3)} to ${high.toPrecision(3)}`;
        figure.append(canvas, caption);
        drawn.push(figure);
      }
      boards.replaceChildren(...drawn);
    };
    const step = (by) => {
      select.selectedIndex = (select.selectedIndex + by + select.options.length) % select.options.length;
      draw();
    };
    document.getElementById('previous').addEventListener('click', () => step(-1));
    document.getElementById('next').addEventListener('click', () => step(1));
    for (const control of [select, order, scale]) control.addEventListener('change', draw);
    order.value = detail.order;
    draw();
  }

  // Linear and logarithmic histograms.
  const toggle = document.getElementById('logarithmic');
  if (toggle) {
    const apply = () => document.body.classList.toggle('log', toggle.checked);
    toggle.addEventListener('change', apply);
    apply();
  }

  // Tables that can be sorted.
  for (const table of document.querySelectorAll('table.sortable')) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    const sort = (head) => {
      const up = head.getAttribute('aria-sort') !== 'ascending', column = head.cellIndex;
      heads.forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const rows = [...body.rows].map((row, index) => [value(row), index, row]);
      const numeric = rows.every(([text]) => text === '' || !Number.isNaN(Number(text)));
      rows.sort(([a, i], [b, j]) => {
        if ((a === '') !== (b === '')) return a === '' ? 1 : -1;
        const difference = numeric ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0;
        return (up ? difference : -difference) || i - j;
      });
      body.append(...rows.map(([, , row]) => row));
    };
    heads.forEach((head) => {
      head.dataset.sort = '';
      head.tabIndex = 0;
      head.addEventListener('click', () => sort(head));
      head.addEventListener('keydown', (event) => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); sort(head); } });
    });
  }
})();
