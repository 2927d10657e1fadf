import { mount } from 'svelte';
import App from './App.svelte';
import './lib/design/tokens.css';
import './lib/design/base.css';
import { remembered, show } from './lib/state/look';

await show(remembered());
const target = document.getElementById('window');
if (target) mount(App, { target });
